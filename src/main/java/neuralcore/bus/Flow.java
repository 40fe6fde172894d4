package neuralcore.bus;

import java.util.ArrayList;
import java.util.List;

/** Remembers which channels may have room again, until the end of a step. */
final class Flow {
    final String namespace;

    private final List<Channel> noted = new ArrayList<>();

    Flow(String namespace) {
        this.namespace = namespace;
    }

    void note(Channel channel) {
        noted.add(channel);
    }

    void flush(Effects effects) {
        for (Channel channel : noted) {
            channel.noted = false;
            channel.tellRoom(effects);
        }
        noted.clear();
    }
}
