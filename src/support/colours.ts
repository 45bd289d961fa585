/** Whether the user wants colours (no-color.org): not with NO_COLOR, whatever it says, unless it is empty. */
export function coloursWanted(): boolean {
  return (process.env.NO_COLOR ?? "") === "";
}
