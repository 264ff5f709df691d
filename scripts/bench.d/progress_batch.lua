-- For wrk: each request has fifty new events of another learner.
dofile("scripts/bench.d/progress.lua")

function request()
    local events = {}
    for i = 1, 50 do
        events[i] = '{"course_id":"00000010-0000-4000-8000-000000000005",' .. event() .. "}"
    end
    return wrk.format("POST", "/api/v1/courses/events", headers(), '{"events":[' .. table.concat(events, ",") .. "]}")
end
