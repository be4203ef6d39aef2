"""The log of a trial: its name in the trial's folder, and how each attempt's lines begin."""

LOG = "log.txt"
# Is followed by the attempt's 'host:pid'.
ATTEMPT = "---- attempt on "
