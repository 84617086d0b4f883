-- Add a callee. Arguments: number of the change, '1' to remove the present callees first, name, session, token, policy,
-- created, details, then the fields of the callees that the node knows.
local status = check_change(tonumber(ARGV[3]))
if status then return finish(status) end
if clock < settling then return finish('wait') end
local name, session, token = ARGV[5], ARGV[6], ARGV[7]
local field = 'c:' .. name .. ' ' .. node .. ' ' .. session
local present = token_of(field)
if present == token then return finish('ok') end
if present then remove_callee(field) end
if ARGV[4] == '1' then
  local beginning = 'c:' .. name .. ' '
  local function remove_all(fields, first)
    for place = first, #fields do
      if string.sub(fields[place], 1, #beginning) == beginning then remove_callee(fields[place]) end
    end
  end
  remove_all(ARGV, 11)
  -- The node's table may lack a callee. Only then, search all rows.
  if redis.call('HEXISTS', rows, 'r:' .. name) == 1 then remove_all(redis.call('HKEYS', rows), 1) end
end
return finish(add_callee(name, field, 0, token, ARGV[8], ARGV[9], ARGV[10]))
