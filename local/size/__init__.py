"""Files of any size through the functions as they are deployed, with their memory measured."""
