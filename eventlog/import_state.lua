-- Where an import stands: taken by a feeder, kept alive by it, moved by whoever controls it, and let
-- go by its feeder.
--
-- KEYS  1 the import's state
-- ARGV  1 begin, beat, give back, let go or move  2 the feeder  3 for how many milliseconds the state
--       is kept
--       begin  4 now  5 for how long a feeder may be silent, in milliseconds
--       beat   4 now  5 rows that were read
--       give back  4 the state to be, '' for none at all
--       move   4 the state to be  5... the states it may follow
-- Reply 1 the state before, '' where there was none  2 whether it was done: 1 or 0
--
-- A move by '' is anybody's, any other only that of the feeder that has the import.

local key, feeder = KEYS[1], ARGV[2]
local known = redis.call('HMGET', key, 'state', 'feeder', 'beat')
local state, holder = known[1] or '', known[2]
local what = ARGV[1]

if what == 'begin' then
  local fed = state == 'receiving' or state == 'paused'
  if state == 'cancelled' or state == 'stopped' then
    return {state, 0}
  end
  if fed and ARGV[4] - known[3] < tonumber(ARGV[5]) then
    return {state, 0}
  end
  local now = state == 'paused' and 'paused' or 'receiving'
  redis.call('HSET', key, 'state', now, 'feeder', feeder, 'beat', ARGV[4], 'rows', 0)
elseif what == 'give back' then
  if holder ~= feeder or (state ~= 'receiving' and state ~= 'paused') then
    return {state, 0}
  end
  if ARGV[4] == '' then
    redis.call('DEL', key)
  else
    redis.call('HSET', key, 'state', ARGV[4])
  end
elseif what == 'beat' then
  if holder ~= feeder then
    return {state, 0}
  end
  redis.call('HSET', key, 'beat', ARGV[4], 'rows', ARGV[5])
elseif what == 'let go' then
  if holder ~= feeder then
    return {state, 0}
  end
  redis.call('HSET', key, 'feeder', '')
else
  if feeder ~= '' and holder ~= feeder then
    return {state, 0}
  end
  local may = false
  for i = 5, #ARGV do
    may = may or ARGV[i] == state
  end
  if not may then
    return {state, 0}
  end
  redis.call('HSET', key, 'state', ARGV[4])
end
redis.call('PEXPIRE', key, ARGV[3])
return {state, 1}
