-- Remove a member. Its id stays removed: it cannot join or restate again.
if id and not is_removed then
  redis.call('HDEL', members, 'n:' .. node)
  redis.call('HSET', members, 'd:' .. node, integer(clock))
  if is_member then note('n:' .. node, '') end
  is_member = false
end
return finish('ok')
