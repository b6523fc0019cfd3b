import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.KeyPairGenerator;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.Properties;

public class Shop {
    public static void main(String[] arguments) throws Exception {
        var keys = KeyPairGenerator.getInstance("EC");
        var text = "shop " + keys.getAlgorithm() + " "
            + ZonedDateTime.of(2024, 6, 1, 0, 0, 0, 0, ZoneId.of("Europe/Vienna")) + "\n";
        var properties = new Properties();
        try (var stream = Shop.class.getResourceAsStream("/config.properties")) {
            properties.load(stream);
        }
        var server = HttpServer.create(new InetSocketAddress(8080), 0);
        answer(server, "/", text);
        answer(server, "/config", properties.getProperty("greeting"));
        server.start();
    }

    private static void answer(HttpServer server, String path, String text) {
        server.createContext(path, exchange -> {
            var body = text.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
    }
}
