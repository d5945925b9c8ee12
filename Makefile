.PHONY: server test
server:
	script/server
test:
	script/test
