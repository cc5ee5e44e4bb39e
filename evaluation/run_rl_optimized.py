#!/usr/bin/env python3
import nestling
nestling.run("bench", "agent")
