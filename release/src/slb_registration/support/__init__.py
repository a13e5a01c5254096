"""What any long-lived process needs: logs, supervised threads, files, exchanges that end."""
