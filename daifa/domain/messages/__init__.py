"""What we tell buyers: templates in two languages, messages each sent once, or suppressed with the reason.

Not here: when to tell (`daifa.flows.tell_customers`). Direct mail only for own-site and manual stores.
"""
