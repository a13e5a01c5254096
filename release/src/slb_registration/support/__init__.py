"""The needs of any long-lived process: logs, supervised threads, files, exchanges that end."""
