include: short
