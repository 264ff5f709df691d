-- For wrk: signs in, again and again.
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = '{"username":"user-0-2","password":"worklete123"}'
