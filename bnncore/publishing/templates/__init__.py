"""The files of new plugin projects, as ``string.Template`` texts; ``bnncore.publishing.scaffold`` fills them in.

``common`` goes into every project, the folder of its kind over it. ``package`` becomes the name of the
package, ``dot-`` at the beginning of a name a dot, and ``.template`` at the end is dropped.
"""
