-- For wrk: each request is a new event of another learner.
math.randomseed(os.time() + tonumber(tostring({}):match("0x(%x+)"), 16) % 1000000)

-- Every fifth person of the large organization has a session and this course under way.
local course = "00000010-0000-4000-8000-000000000005"
local now, count = os.time() * 1000, 0

function event()
    count = count + 1
    return string.format(
        '"event_type":"update_progress","player_session_id":"%s","client_supplied_occured_at_in_ms":%d,"progress":{"percent":%d}',
        course, now - math.random(1, 100000000), 50 + count % 50
    )
end

function headers()
    local n = 5 * math.random(1, 20000)
    return {
        ["content-type"] = "application/json", ["access-token"] = "0-" .. n, client = "client-0-" .. n, uid = "user-0-" .. n,
    }
end

function request()
    return wrk.format("POST", "/api/v1/courses/" .. course .. "/events", headers(), "{" .. event() .. "}")
end
