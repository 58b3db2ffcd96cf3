-- Let what is remembered be forgotten a while from now: one call for a batch, not one for each.
--
-- KEYS  what is remembered, all of one partition
-- ARGV  1 seconds

for _, key in ipairs(KEYS) do
  redis.call('EXPIRE', key, ARGV[1])
end
