"""The page for a person with a browser: what it is made of, and the document that it shows.

Its HTML, style sheet and scripts are the files beside this one. They come as they are, and act by
the control API alone, as a test does.
"""
