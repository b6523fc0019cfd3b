<?php
$database = new PDO('sqlite::memory:');
$answer = $database->query('SELECT 6 * 7')->fetchColumn();
echo mb_strtoupper('schön') . " $answer {$_SERVER['REQUEST_URI']}\n";
