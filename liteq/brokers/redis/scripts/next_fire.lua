-- uses head
--
-- KEYS     the prefix
-- ARGV     now
-- Returns  when the next entry is due (inf: never); nil if there is none

return call("ZRANGE", P .. "schedules", 0, 0, "WITHSCORES")[2]
