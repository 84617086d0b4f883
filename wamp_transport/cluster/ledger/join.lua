-- Add a member. Arguments: id for a new ledger, duration of the lease, record.
-- The answer lists the members of a ledger that nobody has used for a minute. The ledger begins anew.
local ABANDONED_AFTER = 60000
if is_removed then return finish('dead') end
local found = {}
if id and now - heard > ABANDONED_AFTER then
  for _, field in ipairs(redis.call('HKEYS', members)) do
    if string.sub(field, 1, 2) == 'n:' and field ~= 'n:' .. node then found[#found + 1] = string.sub(field, 3) end
  end
  table.sort(found)
  redis.call('DEL', members, rows, log)
  id, last, settling = false, '', 0
  change = 0
end
if not id then
  create(ARGV[3])
  if #found > 0 then start_settling() end
end
is_member = true
lease, record = clock + tonumber(ARGV[4]), ARGV[5]
note('n:' .. node, record)
return finish('ok', found)
