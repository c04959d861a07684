"""The roof: settings, addresses and the database the program runs on. Knows every part and holds no logic of the trade."""
