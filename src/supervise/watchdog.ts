/**
 * What stands between `run:` and its program: a shell that leads a process group of its own, leaves a
 * watchdog in the group and becomes the program. However the supervisor ends, SIGKILL included, the kernel
 * closes its end of the lifeline (descriptor 3), and the watchdog ends the group: TERM first, KILL when the
 * drain time is over. It also sweeps what a program leaves behind (`npm start` killed, its node alive): then
 * the supervisor itself ends the lifeline. The watchdog is gone when the group is empty, which closes the
 * lifeline's other end.
 *
 * POSIX shell, because it costs 1 MB where a second Node would cost 40. The command comes in a variable, so
 * that the watchdog is not found when somebody looks for the program by its command line.
 */

/** For `/bin/sh -c`; FLOTILLA_RUN is the command, $1 the tenths of a second from TERM to KILL. */
export const watchdogScript = `
run=$FLOTILLA_RUN
unset FLOTILLA_RUN
(
  trap '' TERM INT HUP
  tenths=$1
  exec </dev/null >/dev/null 2>&1
  read -r me rest </proc/self/stat
  read -r word <&3
  kill -TERM 0
  kill -CONT 0
  while [ "$tenths" -gt 0 ]; do
    others=
    for file in /proc/[0-9]*/stat; do
      read -r line <"$file" || continue
      set -- \${line##*) }
      [ "$3" = "$$" ] && [ "$1" != Z ] && [ "\${line%% *}" != "$me" ] && others=1
    done
    [ "$others" ] || exit 0
    sleep 0.1 || sleep 1
    tenths=$((tenths - 1))
  done
  kill -KILL 0
) &
exec 3>&-
exec /bin/sh -c "$run"
`;
