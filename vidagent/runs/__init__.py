"""Records of runs: their folders, traces, replays, resumes and sessions."""
