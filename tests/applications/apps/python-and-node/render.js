console.log(JSON.stringify({ rendered: [1, 2, 3].map((n) => n * n) }));
