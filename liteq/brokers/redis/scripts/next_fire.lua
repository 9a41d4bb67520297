-- uses head
-- now. Answers when the next entry is due, if any; inf: never.

return call("ZRANGE", P .. "schedules", 0, 0, "WITHSCORES")[2]
