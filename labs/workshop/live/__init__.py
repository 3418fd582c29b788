"""What happens in the room: who is there and ready, who is at which task, and what they answer to a poll.

seats = state.Room(plan)                       # pure: events in, views out
with journal.Journal(folder) as book: ...      # each event in a line of a file, so that nothing is lost when the server dies
routes.add(app, folder)                        # pages and their calls, added to the room's server
"""
