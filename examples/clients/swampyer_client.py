"""swampyer (threads): register and call a procedure, subscribe to a topic and publish an event."""

import sys

from swampyer import WAMPClient

client = WAMPClient(url=sys.argv[1], realm="realm1", serializers=["json"], auto_reconnect=False)
client.start()
client.register("com.example.add", lambda invocation, a, b: a + b)
client.subscribe("com.example.news", lambda event, text: print("news:", text))
print("sum:", client.call("com.example.add", 2, 3))
client.publish("com.example.news", args=["hello"])
client.disconnect()
