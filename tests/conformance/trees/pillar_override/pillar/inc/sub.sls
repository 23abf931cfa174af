sub: true
over: sub
