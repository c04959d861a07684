"""What moves: parcels and which lines are in them, versions of waybill numbers, scans, notices to the channel.

Not here: talking to the buyer (`messages`).
"""
