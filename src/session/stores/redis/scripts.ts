/**
 * What Redis does with a session, each in one step: nothing of another client comes between (https://redis.io/docs/latest/develop/programmability/eval-intro/).
 * Times are those of Redis, whose own expiry ends sessions. A script tells before it writes, and writes with its last command: one that
 * fails has written nothing. value.ts explains the columns.
 */
import { createHash } from "node:crypto";
import { sessionStores as limits } from "../../../support/limits.ts";

export interface RedisScript {
  readonly text: string;
  /** By which Redis knows it. */
  readonly sha: string;
}

const common = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- As endsAfterMs in engine.ts, and no longer than the absolute timeout.
local function left(idle, used, created, absolute)
  local ms = used + idle + math.min(${limits.touchIntervalMsMax}, math.ceil(idle * ${limits.touchIntervalShare})) - now
  if absolute > 0 then ms = math.min(ms, created + absolute - now) end
  return ms
end

local function put(key, idle, version, created, absolute, holder, data)
  local ms = left(idle, now, created, absolute)
  if ms < 1 then redis.call('DEL', key) return end
  local line = string.format('1 %13.0f %12.0f %10.0f %13.0f %12.0f %s\\n', now, idle, version, created, absolute, holder)
  redis.call('SET', key, line .. data, 'PX', string.format('%.0f', ms))
end

local function numberIn(line, from, to) return tonumber(string.sub(line, from, to)) end

-- Somebody else may have written anything there: what is no text is none of ours.
local function headOf(key, last)
  local head = redis.pcall('GETRANGE', key, 0, last)
  if type(head) == 'string' then return head end
  if not string.find(head.err, 'WRONGTYPE', 1, true) then error(head.err) end
  return '-'
end

local function isLine(line)
  return string.sub(line, 1, 2) == '1 ' and numberIn(line, 3, 15) and numberIn(line, 17, 28) and numberIn(line, 30, 39)
    and numberIn(line, 41, 53) and numberIn(line, 55, 66)
end

-- The line of columns; nil when there is nothing, false when it is no session.
local function lineOf(key)
  local head = headOf(key, 255)
  if head == '' and redis.call('EXISTS', key) == 0 then return nil end
  if not isLine(head) then return false end
  local stop = string.find(head, '\\n', 1, true)
  if not stop then
    head = redis.call('GET', key)
    stop = string.find(head, '\\n', 1, true)
  end
  return stop and string.sub(head, 1, stop - 1) or false
end

-- Redis removes it a moment later, or never, if somebody took its expiry away. What can't be read has no end.
local function hasEnded(line)
  return line and left(numberIn(line, 17, 28), numberIn(line, 3, 15), numberIn(line, 41, 53), numberIn(line, 55, 66)) < 1
end

local function tell(line, writer, channels, key)
  local holder = string.sub(line, 68)
  if holder ~= '' and holder ~= writer then redis.call('PUBLISH', channels .. holder, key) end
end
`;

/** [value, now]; null when there is none. */
export const read: RedisScript = script(`
local value = redis.call('GET', KEYS[1])
if not value then return false end
local time = redis.call('TIME')
return {value, time[1] * 1000 + math.floor(time[2] / 1000)}
`);

/** idle timeout, age, absolute timeout, holder, data. 0: there is one already. */
export const insert: RedisScript = script(`${common}
local line = lineOf(KEYS[1])
if line ~= nil and not hasEnded(line) then return 0 end
put(KEYS[1], tonumber(ARGV[1]), 1, now - tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5])
return 1
`);

/** version, idle timeout, holder, data, writer, beginning of channels' names, key. 0: gone, 1: changed, 2: done. */
export const replace: RedisScript = script(`${common}
local line = lineOf(KEYS[1])
if line == nil or hasEnded(line) then return 0 end
local version = line and numberIn(line, 30, 39)
if version ~= tonumber(ARGV[1]) then return 1 end
tell(line, ARGV[5], ARGV[6], ARGV[7])
local created, absolute = numberIn(line, 41, 53), numberIn(line, 55, 66)
put(KEYS[1], tonumber(ARGV[2]), version + 1, created, absolute, ARGV[3], ARGV[4])
return 2
`);

/**
 * The idle timeout of each key. The first command frees memory or takes none, and a script that has written may go on: sessions
 * in use stay, also when memory is full.
 */
export const touch: RedisScript = script(`${common}
for i, key in ipairs(KEYS) do
  local line = headOf(key, 65)
  if isLine(line) and not hasEnded(line) then
    local idle = math.max(tonumber(ARGV[i]), numberIn(line, 17, 28))
    local ms = left(idle, now, numberIn(line, 41, 53), numberIn(line, 55, 66))
    redis.call('PEXPIRE', key, string.format('%.0f', ms))
    -- A time that is over by now removes the key, and it would be made anew without an end.
    if redis.call('EXISTS', key) == 1 then
      redis.call('SETRANGE', key, 2, string.format('%13.0f %12.0f', now, idle))
    end
  end
end
`);

/** writer, beginning of channels' names, key. */
export const remove: RedisScript = script(`${common}
local line = lineOf(KEYS[1])
if line then tell(line, ARGV[1], ARGV[2], ARGV[3]) end
if line ~= nil then redis.call('DEL', KEYS[1]) end
`);

function script(text: string): RedisScript {
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}
