include: [short]
