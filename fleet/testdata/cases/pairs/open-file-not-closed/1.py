# expect: written; the text is in the file after the run
file = open("unclosed.txt", "w")
file.write("kept back")
print("written")
