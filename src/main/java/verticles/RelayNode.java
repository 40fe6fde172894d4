package verticles;

/**
 * What all relays of a daemon share.
 *
 * @param name of the daemon among all that messages may pass
 * @param maxUnpacked bytes of a message from a broker at most
 */
record RelayNode(String name, int maxUnpacked) {}
