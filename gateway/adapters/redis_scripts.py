"""The scripts of the mirror: each decides and writes in one step, and none lets older overwrite newer.

Quantities are whole numbers of billionths of a share and are only ever added by the server's 64-bit HINCRBY;
Lua's own numbers see no more than signs, versions and positions.

A room is a hash: `version` (of the stream in the ledger), `long` (shares held if every buy filled) and
`short` (shares short if every sell filled). A token is a hash: `side` (`long` or `short`), `qty`, `at`
(milliseconds) and `recorded` (1 once the ledger has published it, 0 while its request is under way).
"""

from __future__ import annotations

from typing import Final

from gateway.adapters.redis_link import Script

_COMMON: Final = """
local READY, ROOMS, QUARANTINES = 'mirror:ready', 'mirror:rooms', 'mirror:quarantines'
local SWITCHES, BREAKER = 'kill_switch:state', 'circuit_breaker:state'

local function room_key(symbol) return 'position_reservation:' .. symbol end
local function quarantine_key(name) return 'quarantine:' .. name end

local function built_for(generation)
    return redis.call('HGET', READY, 'generation') == generation
end

local function not_built() return redis.error_reply('MIRROR was not built from this ledger') end

local function version_in(text)
    local ok, value = pcall(cjson.decode, text or '')
    return ok and type(value) == 'table' and tonumber(value.version) or -1
end

local function now_ms()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end
"""

_ROOM: Final = """
local function drop_unless(kind, key)
    if redis.call('TYPE', key).ok ~= kind then redis.call('DEL', key) end
end

local function token_at(name)
    drop_unless('hash', name)
    local side, qty, recorded, at = unpack(redis.call('HMGET', name, 'side', 'qty', 'recorded', 'at'))
    local sound = (side == 'long' or side == 'short') and (qty or ''):match('^%d+$')
    return sound and {side = side, qty = qty, under_way = recorded == '0', at = tonumber(at) or 0}
end

local function drop_token(key, id)
    redis.call('DEL', key .. ':token:' .. id)
    redis.call('SREM', key .. ':tokens', id)
end

-- Keep what is under way, drop what the ledger once had and has no more.
local function sweep_tokens(key, live, done, oldest)
    for _, id in ipairs(redis.call('SMEMBERS', key .. ':tokens')) do
        if not live[id] then
            local token = token_at(key .. ':token:' .. id)
            if token and token.under_way and token.at >= oldest and not done[id] then
                redis.call('HINCRBY', key, token.side, token.qty)
            else
                drop_token(key, id)
            end
        end
    end
end

local function drop_done(key, done)
    if redis.call('HEXISTS', key, 'version') == 0 then return end
    for id in pairs(done) do
        local token = token_at(key .. ':token:' .. id)
        if token and token.under_way then
            redis.call('HINCRBY', key, token.side, '-' .. token.qty)
            drop_token(key, id)
        end
    end
end

local function set_room(room, oldest)
    local key, live, done = room_key(room.symbol), {}, {}
    for _, id in ipairs(room.recorded) do done[id] = true end
    drop_unless('hash', key)
    drop_unless('set', key .. ':tokens')
    if (tonumber(redis.call('HGET', key, 'version') or '') or -1) > room.version then
        return drop_done(key, done)
    end
    redis.call('HSET', key, 'version', room.version, 'long', room.long, 'short', room.short)
    redis.call('SADD', ROOMS, room.symbol)
    for _, leaf in ipairs(room.leaves) do
        live[leaf.id] = true
        local name = key .. ':token:' .. leaf.id
        drop_unless('hash', name)
        redis.call('HINCRBY', key, leaf.side, leaf.qty)
        redis.call('HSET', name, 'side', leaf.side, 'qty', leaf.qty, 'recorded', 1, 'at', now_ms())
        redis.call('SADD', key .. ':tokens', leaf.id)
    end
    sweep_tokens(key, live, done, oldest)
end

-- A room the ledger does not know holds what is under way, and nothing else.
local function empty_others(named, oldest)
    for _, symbol in ipairs(redis.call('SMEMBERS', ROOMS)) do
        if not named[symbol] then
            local empty = {version = 0, long = '0', short = '0', leaves = {}, recorded = {}}
            empty.symbol = symbol
            set_room(empty, oldest)
        end
    end
end

local function names_of(rooms)
    local named = {}
    for _, room in ipairs(rooms) do named[room.symbol] = true end
    return named
end
"""

# ARGV: strategy, symbol. One script reads far faster than a transaction of seven commands.
READ: Final = Script(
    _COMMON
    + """
local strategy, symbol = unpack(ARGV)
return {
    redis.call('HMGET', READY, 'generation', 'position'),
    redis.call('HMGET', SWITCHES, 'built', 'global', 'strategy:' .. strategy, 'symbol:' .. symbol),
    redis.call('HGET', BREAKER, 'state'),
    redis.call('HGET', quarantine_key(strategy .. ':' .. symbol), 'state'),
    redis.call('HGET', quarantine_key('*:' .. symbol), 'state'),
    redis.call('HMGET', room_key(symbol), 'version', 'long', 'short'),
    redis.call('SISMEMBER', ROOMS, symbol),
}
"""
)

# Returns the three things without which there is no mirror.
READY: Final = Script(
    _COMMON
    + """
return {
    redis.call('HMGET', READY, 'generation', 'position'),
    redis.call('HGET', SWITCHES, 'built'),
    redis.call('HGET', BREAKER, 'state'),
}
"""
)

# Returns the symbols whose room is shown; a list of the wrong type is no list, and the rebuild mends it.
SYMBOLS: Final = Script(
    _COMMON
    + """
local names = redis.pcall('SMEMBERS', ROOMS)
return names.err and {} or names
"""
)

# ARGV: generation, state as JSON.
REBUILD: Final = Script(
    _COMMON
    + _ROOM
    + """
local generation, state = ARGV[1], cjson.decode(ARGV[2])

local function forget_everything()
    for _, symbol in ipairs(redis.call('SMEMBERS', ROOMS)) do
        local key = room_key(symbol)
        drop_unless('set', key .. ':tokens')
        for _, id in ipairs(redis.call('SMEMBERS', key .. ':tokens')) do
            redis.call('DEL', key .. ':token:' .. id)
        end
        redis.call('DEL', key, key .. ':tokens')
    end
    for _, name in ipairs(redis.call('SMEMBERS', QUARANTINES)) do redis.call('DEL', quarantine_key(name)) end
    redis.call('DEL', READY, ROOMS, QUARANTINES, SWITCHES, BREAKER)
end

-- Set a field, unless what is there is newer.
local function set_field(key, field, version, text)
    if version_in(redis.call('HGET', key, field)) <= version then redis.call('HSET', key, field, text) end
end

for _, key in ipairs({READY, SWITCHES, BREAKER}) do drop_unless('hash', key) end
for _, key in ipairs({ROOMS, QUARANTINES}) do drop_unless('set', key) end
if not built_for(generation) then forget_everything() end

for _, scope in ipairs(redis.call('HKEYS', SWITCHES)) do
    if version_in(redis.call('HGET', SWITCHES, scope)) < 0 then redis.call('HDEL', SWITCHES, scope) end
end
redis.call('HSET', SWITCHES, 'built', state.position)
for _, switch in ipairs(state.switches) do
    set_field(SWITCHES, switch.scope, switch.version, switch.text)
end
set_field(BREAKER, 'state', state.breaker.version, state.breaker.text)

for _, name in ipairs(redis.call('SMEMBERS', QUARANTINES)) do
    drop_unless('hash', quarantine_key(name))
    if version_in(redis.call('HGET', quarantine_key(name), 'state')) <= state.position then
        redis.call('DEL', quarantine_key(name))
        redis.call('SREM', QUARANTINES, name)
    end
end
for _, quarantine in ipairs(state.quarantines) do
    drop_unless('hash', quarantine_key(quarantine.name))
    set_field(quarantine_key(quarantine.name), 'state', state.position, quarantine.text)
    redis.call('SADD', QUARANTINES, quarantine.name)
end

for _, room in ipairs(state.rooms) do set_room(room, 0) end
empty_others(names_of(state.rooms), 0)

local newest = math.max(tonumber(redis.call('HGET', READY, 'position') or '') or 0, state.position)
redis.call('HSET', READY, 'generation', generation, 'position', newest)
return 'OK'
"""
)

# ARGV: generation, key, field, version, text, name in the list of quarantines or ''.
PUBLISH: Final = Script(
    _COMMON
    + """
local generation, key, field, version, text, quarantine = unpack(ARGV)
if not built_for(generation) then return not_built() end
if quarantine ~= '' then
    redis.call('SADD', QUARANTINES, quarantine)
elseif redis.call('EXISTS', key) == 0 then
    return redis.error_reply('MIRROR lost ' .. key)
end
if version_in(redis.call('HGET', key, field)) <= tonumber(version) then
    redis.call('HSET', key, field, text)
end
return 'OK'
"""
)

# ARGV: generation, room as JSON.
PUBLISH_ROOM: Final = Script(
    _COMMON
    + _ROOM
    + """
if not built_for(ARGV[1]) then return not_built() end
set_room(cjson.decode(ARGV[2]), 0)
return 'OK'
"""
)

# ARGV: generation, symbol, client order id, side, qty, limit, qty - limit, limit - qty.
# Returns granted, fresh, and the exposure after it; when refused, the exposure as it stays.
RESERVE: Final = Script(
    _COMMON
    + """
local generation, symbol, id, side, qty, limit, above, below = unpack(ARGV)
local key = room_key(symbol)
local token = key .. ':token:' .. id
if not built_for(generation) then return not_built() end
if redis.call('HEXISTS', key, 'version') == 0 then
    if redis.call('SISMEMBER', ROOMS, symbol) == 1 then
        return redis.error_reply('MIRROR lost the room of ' .. symbol)
    end
    redis.call('HSET', key, 'version', 0, 'long', 0, 'short', 0)
    redis.call('SADD', ROOMS, symbol)
end
if redis.call('EXISTS', token) == 1 then return {1, 0, redis.call('HGET', key, side)} end
if redis.call('HINCRBY', key, side, above) > 0 then
    redis.call('HINCRBY', key, side, below)
    return {0, 1, redis.call('HGET', key, side)}
end
redis.call('HINCRBY', key, side, limit)
redis.call('HSET', token, 'side', side, 'qty', qty, 'recorded', 0, 'at', now_ms())
redis.call('SADD', key .. ':tokens', id)
return {1, 1, redis.call('HGET', key, side)}
"""
)

# ARGV: generation, symbol, client order id. A token the ledger has published is the ledger's to drop.
GIVE_BACK: Final = Script(
    _COMMON
    + _ROOM
    + """
local generation, symbol, id = unpack(ARGV)
if not built_for(generation) then return not_built() end
drop_done(room_key(symbol), {[id] = true})
return 'OK'
"""
)

# ARGV: generation, rooms as JSON, age in milliseconds at which a token that the ledger does not know is a
# leak. Returns every exposure before and after, one pair after the other.
AUDIT: Final = Script(
    _COMMON
    + _ROOM
    + """
local rooms, oldest = cjson.decode(ARGV[2]), now_ms() - tonumber(ARGV[3])
if not built_for(ARGV[1]) then return not_built() end
local function exposures(named)
    local found = {}
    for symbol in pairs(named) do
        for _, side in ipairs({'long', 'short'}) do
            local value = redis.pcall('HGET', room_key(symbol), side)
            found[symbol .. side] = type(value) == 'string' and value or '0'
        end
    end
    return found
end
local named = names_of(rooms)
local all = names_of(rooms)
for _, symbol in ipairs(redis.call('SMEMBERS', ROOMS)) do all[symbol] = true end
local before = exposures(all)
for _, room in ipairs(rooms) do set_room(room, oldest) end
empty_others(named, oldest)
local pairs_found = {}
for name, after in pairs(exposures(all)) do
    table.insert(pairs_found, before[name])
    table.insert(pairs_found, after)
end
return pairs_found
"""
)

# ARGV: generation, symbols as JSON. Returns the time, and of these rooms and all that are shown: symbol,
# {version, long, short}, and every token as id and {side, qty, recorded, at}. Changes nothing.
LOOK: Final = Script(
    _COMMON
    + """
if not built_for(ARGV[1]) then return not_built() end
local named, rooms = {}, {}
for _, symbol in ipairs(cjson.decode(ARGV[2])) do named[symbol] = true end
for _, symbol in ipairs(redis.call('SMEMBERS', ROOMS)) do named[symbol] = true end
for symbol in pairs(named) do
    local key, tokens = room_key(symbol), {}
    for _, id in ipairs(redis.call('SMEMBERS', key .. ':tokens')) do
        local name = key .. ':token:' .. id
        table.insert(tokens, {id, redis.call('HMGET', name, 'side', 'qty', 'recorded', 'at')})
    end
    table.insert(rooms, {symbol, redis.call('HMGET', key, 'version', 'long', 'short'), tokens})
end
return {now_ms(), rooms}
"""
)
