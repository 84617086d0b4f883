-- The common beginning of all scripts: read the ledger's state, move its clock on, and define the functions that the
-- scripts share. The docstrings of the Python package explain the terms.
--
-- KEYS: members, rows, log. ARGV[1]: the wall clock in milliseconds, or '' for the clock of Redis. ARGV[2]: the node.
--
-- members: id, clock (the ledger's clock in milliseconds), heard (the wall clock of the last operation), settling (the
--   end of settling by the ledger's clock), last (the position of the last log entry),
--   n:<node> = <end of the lease> <last change> <record>, d:<removed node> = <clock at its removal>
-- rows: id, r:<name> = <policy> <number of callees> <next number> <created>,
--   c:<name> <node> <session> = <number> <token> <details>
-- log entry: prev = <position of the entry before>, mark = <digest>, then fields of both hashes and their new values;
--   '' means removed. The value of n:<node> is the record alone. A position is <entry id> <mark>.

local members, rows, log = KEYS[1], KEYS[2], KEYS[3]
local MAX_CLOCK_STEP, SETTLING_TIME, LOG_LENGTH, ENTRY_ARGUMENTS = 2500, 3000, 10000, 1000

local function integer(value)
  return string.format('%.0f', value)
end

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local node = ARGV[2]

local state = redis.call('HMGET', members, 'id', 'clock', 'heard', 'settling', 'last', 'n:' .. node, 'd:' .. node)
local id = state[1]
if not id or redis.call('HGET', rows, 'id') ~= id then
  redis.call('DEL', members, rows)
  id, state = false, {}
end
local heard = tonumber(state[3] or now)
local clock = tonumber(state[2] or 0) + math.min(math.max(now - heard, 0), MAX_CLOCK_STEP)
local settling = tonumber(state[4] or 0)
local last = state[5] or ''
local is_member, is_removed = state[6] and true, state[7] and true
local lease, change, record = 0, 0, ''
if is_member then
  lease, change, record = string.match(state[6], '^(%d+) (%d+) (.*)$')
  lease, change = tonumber(lease), tonumber(change)
end

local entry, places = {}, {}

-- Add a field and its new value to the log entry of this operation.
local function note(field, value)
  local place = places[field]
  if not place then
    place = #entry + 1
    places[field], entry[place] = place, field
  end
  entry[place + 1] = value
end

-- Write the log entries and what every operation changes. Return the answer.
local function finish(status, names)
  if id then
    for first = 1, #entry, ENTRY_ARGUMENTS do
      local stop = math.min(first + ENTRY_ARGUMENTS - 1, #entry)
      local mark = string.sub(redis.sha1hex(last .. integer(now) .. table.concat(entry, ' ', first, stop)), 1, 8)
      local entry_id = redis.call('XADD', log, 'MAXLEN', '~', LOG_LENGTH, '*', 'prev', last, 'mark', mark,
        unpack(entry, first, stop))
      last = entry_id .. ' ' .. mark
    end
    local values = {'heard', integer(now), 'clock', integer(clock), 'last', last}
    if is_member then
      values[7] = 'n:' .. node
      values[8] = integer(lease) .. ' ' .. integer(change) .. ' ' .. record
    end
    redis.call('HSET', members, unpack(values))
  end
  return {status, id or '', last, names or {}}
end

-- Begin a new ledger. The old content has been deleted.
local function create(new_id)
  id = new_id
  redis.call('HSET', members, 'id', id)
  redis.call('HSET', rows, 'id', id)
  note('id', id)
end

local function start_settling()
  settling = clock + SETTLING_TIME
  redis.call('HSET', members, 'settling', integer(settling))
end

-- Return why an operation of this node cannot be carried out, or nil.
local function check_member()
  if is_removed then return 'dead' end
  if not is_member then return 'restate' end
end

-- The same for a numbered change. If it can be carried out, store its number.
local function check_change(number)
  local status = check_member()
  if status then return status end
  if number <= change then return 'late' end
  if number ~= change + 1 then return 'restate' end
  change = number
end

-- Remove a callee. Remove its registration too if it has no more callees.
local function remove_callee(field)
  if redis.call('HDEL', rows, field) == 0 then return end
  note(field, '')
  local registration = 'r:' .. string.match(field, '^c:(.*) [^ ]+ [^ ]+$')
  local policy, count, following, created =
    string.match(redis.call('HGET', rows, registration), '^(%S+) (%d+) (%d+) (.*)$')
  if tonumber(count) == 1 then
    redis.call('HDEL', rows, registration)
    note(registration, '')
  else
    local value = policy .. ' ' .. integer(count - 1) .. ' ' .. following .. ' ' .. created
    redis.call('HSET', rows, registration, value)
    note(registration, value)
  end
end

-- Add a callee that is not in the ledger. Return 'ok', or why it cannot be added. Create its registration if needed.
-- A given number is kept, and 0 stands for the next one.
local function add_callee(name, field, number, token, policy, created, details)
  local registration = 'r:' .. name
  local count, following = 0, 1
  local value = redis.call('HGET', rows, registration)
  if value then
    local present
    present, count, following, created = string.match(value, '^(%S+) (%d+) (%d+) (.*)$')
    if present == 'single' then return 'exists' end
    if present ~= policy then return 'policy' end
    count, following = tonumber(count), tonumber(following)
  end
  if number == 0 then number = following end
  following = math.max(following, number + 1)
  value = policy .. ' ' .. integer(count + 1) .. ' ' .. integer(following) .. ' ' .. created
  local callee = integer(number) .. ' ' .. token .. ' ' .. details
  redis.call('HSET', rows, registration, value, field, callee)
  note(registration, value)
  note(field, callee)
  return 'ok'
end

-- Return the token of a callee in the ledger, or nil.
local function token_of(field)
  local value = redis.call('HGET', rows, field)
  return value and string.match(value, '^%d+ (%d+)')
end
