-- Remove callees of this node. Arguments: number of the change, then name, session and token of each callee.
-- A callee that has been registered again since then has another token, and stays.
local status = check_change(tonumber(ARGV[3]))
if status then return finish(status) end
for place = 4, #ARGV, 3 do
  local field = 'c:' .. ARGV[place] .. ' ' .. node .. ' ' .. ARGV[place + 1]
  if token_of(field) == ARGV[place + 2] then remove_callee(field) end
end
return finish('ok')
