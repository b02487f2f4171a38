"""Git over HTTP, with the git program: clone, fetch, push, and what a push sets off."""
