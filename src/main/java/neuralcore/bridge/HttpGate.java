package neuralcore.bridge;

import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.json.JsonObject;
import io.vertx.core.net.HostAndPort;
import io.vertx.ext.web.RoutingContext;
import java.util.List;
import java.util.Locale;
import neuralcore.wire.ErrorCode;
import org.jspecify.annotations.Nullable;

/**
 * What every HTTP and WebSocket request passes, so that no web page in the user's browser can use
 * the daemon: an expected {@code Host} (DNS rebinding), an expected {@code Origin} if there is one
 * (cross-site requests), and the token, as a bearer or as the query parameter {@code token}.
 */
public final class HttpGate {
    private static final String BEARER = "Bearer ";

    private final List<String> hosts;
    private final List<String> origins;
    private final Token token;

    /**
     * @param hosts host names without port, IPv6 addresses with or without brackets; the port must
     *     be the listener's own
     * @param origins whole origins, such as {@code https://console.example:8443}
     */
    public HttpGate(List<String> hosts, List<String> origins, Token token) {
        this.hosts = hosts.stream().map(HttpGate::name).toList();
        this.origins = List.copyOf(origins);
        this.token = token;
    }

    public void checkHostAndOrigin(RoutingContext context) {
        HttpServerRequest request = context.request();
        context.response()
                .putHeader("x-content-type-options", "nosniff")
                .putHeader("content-security-policy", "default-src 'self'; frame-ancestors 'none'")
                .putHeader("referrer-policy", "no-referrer");
        if (!hostExpected(request)) {
            refuse(context, 421, "The Host header names another server.");
        } else if (!originExpected(request.getHeader(HttpHeaders.ORIGIN))) {
            refuse(context, 403, "Pages of this origin may not use the daemon.");
        } else {
            context.next();
        }
    }

    public void checkToken(RoutingContext context) {
        String authorization = context.request().getHeader(HttpHeaders.AUTHORIZATION);
        String offered =
                authorization != null && authorization.startsWith(BEARER)
                        ? authorization.substring(BEARER.length())
                        : context.request().getParam("token");
        if (token.matches(offered)) {
            context.next();
        } else {
            context.response().putHeader("www-authenticate", "Bearer");
            refuse(context, 401, "The token is missing or wrong.");
        }
    }

    private boolean hostExpected(HttpServerRequest request) {
        HostAndPort host = request.authority();
        return host != null
                && hosts.contains(name(host.host()))
                && host.port() == request.localAddress().port();
    }

    /** As it is compared: case does not count, and an IPv6 address may stand in brackets. */
    private static String name(String host) {
        String lower = host.toLowerCase(Locale.ROOT);
        return lower.startsWith("[") && lower.endsWith("]")
                ? lower.substring(1, lower.length() - 1)
                : lower;
    }

    private boolean originExpected(@Nullable String origin) {
        return origin == null || origins.contains(origin);
    }

    private static void refuse(RoutingContext context, int status, String message) {
        ErrorCode code = status == 401 ? ErrorCode.UNAUTHENTICATED : ErrorCode.ACCESS_DENIED;
        context.response().setStatusCode(status);
        context.json(new JsonObject().put("code", code.name()).put("message", message));
    }
}
