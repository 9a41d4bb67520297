-- uses head, tasks, sending, walk, leases, claiming, settling
-- now; the settlements, see settling.lua; then perhaps a claim.
-- Returns the numbers of those that are refused, and what was claimed.

local refused = settle_as_asked()
follow_up()
local claimed = {}
if position < #ARGV then claimed = claim_as_asked() end
return done({ refused, claimed })
