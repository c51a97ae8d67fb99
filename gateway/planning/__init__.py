"""Planning by request, with the conditions of now and no trip behind it."""
