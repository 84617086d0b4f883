-- Extend the lease of a member, and remove the members whose lease has ended. The answer lists the removed ones.
-- Arguments: number of the node's last change, duration of the lease.
local REMEMBERED = 3600000
local status = check_member()
if status then return finish(status) end
lease = clock + tonumber(ARGV[4])
local removed = {}
local all = redis.call('HGETALL', members)
for place = 1, #all, 2 do
  local field, value = all[place], all[place + 1]
  local kind, name = string.sub(field, 1, 2), string.sub(field, 3)
  if kind == 'n:' and name ~= node and tonumber(string.match(value, '^%d+')) < clock then
    removed[#removed + 1] = name
  elseif kind == 'd:' and tonumber(value) < clock - REMEMBERED then
    redis.call('HDEL', members, field)
  end
end
table.sort(removed)
for _, name in ipairs(removed) do
  redis.call('HDEL', members, 'n:' .. name)
  redis.call('HSET', members, 'd:' .. name, integer(clock))
  note('n:' .. name, '')
end
return finish(change == tonumber(ARGV[3]) and 'ok' or 'restate', removed)
