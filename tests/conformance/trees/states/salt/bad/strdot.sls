a: file
