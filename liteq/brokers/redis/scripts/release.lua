-- uses head, tasks, walk
-- now; id and token of each claim.

while position < #ARGV do
  local id, token = take(), take()
  local t = load(id)
  if t and t.phase == RUNNING and t.token == token then
    leave(t)
    call("HDEL", t.key, "started")
    enter(t, READY)
  end
end
follow_up()
return done(1)
