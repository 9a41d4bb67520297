-- uses head
-- now, until when workers must have stopped to be forgotten.

for _, worker in ipairs(call("ZRANGEBYSCORE", P .. "workers", "-inf", take(), "LIMIT", 0, 100)) do
  if call("EXISTS", P .. "running:" .. worker) == 0 then
    call("ZREM", P .. "workers", worker)
    call("DEL", P .. "worker:" .. worker)
  end
end
return done(1)
