"""The server groups that this VM is in: from who it is to one worker for each."""
