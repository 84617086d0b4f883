-- Remove rows of a node that is no longer a member. Arguments: the node that was removed, then fields of its callees.
local status = check_member()
if status then return finish(status) end
if redis.call('HEXISTS', members, 'n:' .. ARGV[3]) == 0 then
  for place = 4, #ARGV do
    if string.match(ARGV[place], '^c:.* ([^ ]+) [^ ]+$') == ARGV[3] then remove_callee(ARGV[place]) end
  end
end
return finish('ok')
