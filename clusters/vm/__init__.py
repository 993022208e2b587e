"""Nodes that bring their own kernel: a virtual machine made of a kernel and this machine's tools.

`kernel` finds one, `initramfs` packs what it needs to run, `machine` boots it and talks to it.
"""
