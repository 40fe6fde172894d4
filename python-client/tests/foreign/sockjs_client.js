// Speaks to the daemon with the unchanged npm client and prints what came of each verb as one JSON line.
// Arguments: the folder with node_modules, the URL of the bridge.
'use strict';

const path = require('path');

const [, , modules, url] = process.argv;
const EventBus = require(path.join(modules, 'node_modules', '@vertx', 'eventbus-bridge-client.js'));
const ADDRESS = 'test.room';
const seen = { messages: [], errors: [], closed: 0 };

const bus = new EventBus(url, { vertxbus_ping_interval: 100 });
bus.onerror = (error) => seen.errors.push(error);
bus.onclose = () => { seen.closed += 1; };

const ask = (address, body) => new Promise((resolve) => {
  bus.send(address, body, {}, (error, message) => resolve(
    error ? { failureCode: error.failureCode, failureType: error.failureType, message: error.message }
      : { type: message.type, body: message.body }));
});

// A round trip through the daemon: what was sent before it has been handled.
const settle = () => ask('neuralcore.system.echo', { settled: true });

const handler = (error, message) => {
  seen.messages.push({ type: message.type, address: message.address, body: message.body });
  if (message.reply) message.reply({ answered: message.body.question });
};

bus.onopen = async () => {
  const result = {};
  result.service = await ask('neuralcore.system.echo', { text: 'é' });
  bus.registerHandler(ADDRESS, handler);
  await settle();
  bus.publish(ADDRESS, { published: 1 });
  await settle();
  result.reply = await ask(ADDRESS, { question: 'still there?' });
  result.noHandler = await ask('test.nobody', {});
  result.refused = await ask('neuralcore.vectors.drop', {});
  result.denied = await ask('other.address', {});
  await new Promise((resolve) => setTimeout(resolve, 450)); // some pings
  result.openAfterPings = bus.state === EventBus.OPEN;
  const before = seen.messages.length;
  bus.unregisterHandler(ADDRESS, handler);
  await settle();
  bus.publish(ADDRESS, { published: 2 });
  await settle();
  result.afterUnregister = seen.messages.length - before;
  result.messages = seen.messages;
  result.errors = seen.errors;
  result.closed = seen.closed;
  console.log(JSON.stringify(result));
  bus.close();
};

setTimeout(() => {
  console.error(`no end after 30 s; so far ${JSON.stringify(seen)}`);
  process.exit(1);
}, 30000).unref();
