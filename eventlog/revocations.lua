-- Take a newer list of revoked tokens, unless somebody has brought one since it was looked at.
-- KEYS[1] the mirror; ARGV: the version that was seen ("" for none), the new one, the ids as JSON.
local seen = redis.call('HGET', KEYS[1], 'version') or ''
if seen ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'ids', ARGV[3])
return 1
