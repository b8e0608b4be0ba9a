import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

import org.opensearch.Version;
import org.opensearch.common.logging.LogConfigurator;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.PluginInfo;

/**
 * One OpenSearch node, 2.x or 3.x, from jars on the class path, with the modules that Dossier's requests need. Its
 * argument is the folder of opensearch.yml and log4j2.properties; SIGTERM ends it in good order.
 */
public final class OpenSearchNode extends Node {
    // Of classes up to 2.x and of descriptions from 3.0 on: both constructors look the same without their types.
    @SuppressWarnings({ "unchecked", "rawtypes" })
    private OpenSearchNode(Environment environment, Collection modules) {
        super(environment, modules, true);
    }

    private static List<Object> modules(String... stems) throws ClassNotFoundException {
        List<Object> modules = new ArrayList<>();
        for (String stem : stems) {
            if (Version.CURRENT.major < 3) {
                modules.add(Class.forName("org.opensearch." + stem + "Plugin"));
                continue;
            }
            String name = "org.opensearch." + stem + "ModulePlugin";
            modules.add(new PluginInfo(name, "module", "NA", Version.CURRENT, "21", name, null, List.of(), false));
        }
        return modules;
    }

    public static void main(String[] args) throws Exception {
        Path conf = Path.of(args[0]).toAbsolutePath();
        Settings home = Settings.builder().put("path.home", conf.getParent().toString()).build();
        Environment environment = InternalSettingsPreparer.prepareEnvironment(home, Map.of(), conf, () -> "node");
        LogConfigurator.setNodeName(Node.NODE_NAME_SETTING.get(environment.settings()));
        LogConfigurator.registerErrorListener();
        LogConfigurator.configure(environment);
        Node node = new OpenSearchNode(environment, modules("transport.Netty4", "index.reindex.Reindex"));
        CountDownLatch over = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (Exception e) {
                e.printStackTrace();
            }
            over.countDown();
        }));
        node.start();
        over.await();
    }
}
