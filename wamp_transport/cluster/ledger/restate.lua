-- Make the ledger's rows of this node equal to the given rows, and the node a member. The answer lists the fields of the
-- callees that could not be added, because other nodes hold their names.
-- Arguments: number of the change, id of the ledger that the node knows, id for a new ledger, duration of the lease,
-- record, then name, session, token, number, policy, created and details of each row.
-- A row with the number -1 is not added.
if is_removed then return finish('dead') end
local number = tonumber(ARGV[3])
if is_member and number <= change then return finish('late') end
if not id then create(ARGV[5]) end
if ARGV[4] ~= id and settling == 0 then start_settling() end
is_member, change = true, number
lease, record = clock + tonumber(ARGV[6]), ARGV[7]
note('n:' .. node, record)
local own = ' ' .. node .. ' '
local given = {}
for place = 8, #ARGV, 7 do
  given['c:' .. ARGV[place] .. own .. ARGV[place + 1]] = ARGV[place + 2]
end
for _, field in ipairs(redis.call('HKEYS', rows)) do
  if string.sub(field, 1, 2) == 'c:' and string.match(field, ' ([^ ]+) [^ ]+$') == node
    and token_of(field) ~= given[field] then
    remove_callee(field)
  end
end
local lost = {}
for place = 8, #ARGV, 7 do
  local name = ARGV[place]
  local field = 'c:' .. name .. own .. ARGV[place + 1]
  local given_number = tonumber(ARGV[place + 3])
  if given_number >= 0 and redis.call('HEXISTS', rows, field) == 0 and add_callee(name, field, given_number,
    ARGV[place + 2], ARGV[place + 4], ARGV[place + 5], ARGV[place + 6]) ~= 'ok' then
    lost[#lost + 1] = field
  end
end
return finish('ok', lost)
